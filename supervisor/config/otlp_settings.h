/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where spans and metrics are sent: llmhealth.otlp, completed by OpenTelemetry's own variables
 * (https://opentelemetry.io/docs/specs/otel/protocol/exporter/,
 * https://opentelemetry.io/docs/specs/otel/configuration/sdk-environment-variables/).
 */
#ifndef SUPERVISOR_CONFIG_OTLP_SETTINGS_H
#define SUPERVISOR_CONFIG_OTLP_SETTINGS_H

#include "shared/settings.h"
#include "supervisor/config/environ.h"
#include "supervisor/config/node.h"
#include "supervisor/config/problem.h"

/*
 * Completes the settings of that section. Afterwards a signal is sent when its own endpoint is not empty.
 * No value of a variable or of a secret is shown in a finding.
 */
void otlp_settings_read(const struct node *root, const struct environ *env, struct problems *problems,
    struct settings *s);

/* Whether the text is name=value,… with values that a header, and percent-encoding, can have. */
bool otlp_pairs_ok(struct str text);

#endif
