/* registry.h - which architectures there are, and which one a config.json asks for. */
#ifndef MODELS_REGISTRY_H
#define MODELS_REGISTRY_H

#include "models/arch.h"

#define ARCH(name) extern const qeff_arch qeff_arch_##name;
#include "models/archs.def"
#undef ARCH

/** The architectures in the order of archs.def; NULL behind the last one. */
const qeff_arch *qeff_arch_at(size_t index);

/** By "model_type"; NULL where there is none. */
const qeff_arch *qeff_arch_find(qeff_str model_type);
/** By a class of "architectures"; `*name` becomes the registry's own copy of it. NULL where there
 * is none; `*name` is untouched then. */
const qeff_arch *qeff_arch_find_class(qeff_str class_name, const char **name);

/** Chooses by config.json: "model_type" decides; where it is missing, the first entry of
 * "architectures".
 *
 * @param class_name  out: the first entry of "architectures" where it is a class of the chosen
 *                    architecture, else its bare model; a constant
 * @return QEFF_ERR_UNSUPPORTED  neither is known; the message names it and the known ones
 *         QEFF_ERR_FORMAT       neither is there, or it is of the wrong type */
qeff_status
qeff_arch_select(qeff_json config, const qeff_arch **out, const char **class_name, qeff_error *err);

#endif /* MODELS_REGISTRY_H */
