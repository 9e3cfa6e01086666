# Installation: headers, libraries, the program, and what finds them.
