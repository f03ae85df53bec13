/* SPDX-License-Identifier: Apache-2.0 */
/* What all schemes share: how a failure is said, and the memory of an exchange. */
#include "workers/auth/auth.h"

#include <stdarg.h>

#include "shared/log.h"
#include "workers/dialects/words.h"

#define MAX_NOTE ((size_t)16 << 10)
#define MAX_PATH 4096

int
auth_refuse(const struct target *t, struct result *why, const char *service, const char *fmt, ...)
{
	va_list ap;

	result_reset(why);
	why->reason = REASON_AUTH;
	why->exception_status = reason_status(REASON_AUTH);
	if (service)
		buf_addf(&why->detail, "%s: ", service);
	va_start(ap, fmt);
	buf_vaddf(&why->detail, fmt, ap);
	va_end(ap);
	buf_addf(&why->error, "litellm.%s: ", reason_exception(REASON_AUTH));
	words_exception_of(&why->error, t);
	buf_addf(&why->error, " - %s", buf_text(&why->detail));
	return ERR_DENIED;
}

void
auth_exchange_init(struct auth_exchange *x)
{
	*x = (struct auth_exchange){ .path = BUF_INIT(MAX_PATH), .note = BUF_INIT(MAX_NOTE) };
	x->credential = credential_new();
}

void
auth_exchange_clear(struct auth_exchange *x)
{
	for (size_t i = 0; i < x->n_hidden; i++)
		secret_free(x->hidden[i]);
	secret_free(x->kept);
	credential_free(x->credential);
	if (x->note.data)
		secret_wipe(x->note.data, x->note.len);
	buf_clear(&x->path);
	buf_clear(&x->note);
	*x = (struct auth_exchange){ .step = 0 };
}

void
auth_hide(struct auth_exchange *x, struct str text)
{
	if (x->n_hidden == ARRAY_LEN(x->hidden))
		fatal("an exchange hides more texts than there are");
	x->hidden[x->n_hidden++] = secret_new(text);
}

const struct credential *
auth_shown_credential(void)
{
	static struct credential *shown;

	if (shown == NULL) {
		shown = credential_new();
		shown->token = secret_new(STR("<token>"));
		shown->access_key = secret_new(STR("<access key>"));
		shown->secret_key = secret_new(STR("<secret key>"));
	}
	return shown;
}
