/* SPDX-License-Identifier: Apache-2.0 */
/* The hash of model_name and litellm_params, which is LiteLLM's id of a deployment. */
#include "supervisor/config/ids.h"

#include <openssl/evp.h>

#include "shared/secret.h"
#include "supervisor/config/pytext.h"

#define HASHED_MAX ((size_t)64 << 20)

static void
add_hex(struct buf *b, const unsigned char *p, size_t n)
{
	static const char digits[] = "0123456789abcdef";

	for (size_t i = 0; i < n; i++) {
		buf_add_char(b, digits[p[i] >> 4]);
		buf_add_char(b, digits[p[i] & 15]);
	}
}

static int
hash(const struct node *element, struct buf *id, const struct node **bad)
{
	const struct node *params = node_get(element, "litellm_params");
	const struct node *name = node_get(element, "model_name");
	struct buf text = BUF_INIT(HASHED_MAX);
	unsigned char digest[EVP_MAX_MD_SIZE];
	unsigned n = 0;
	int rc = 0;

	if (name)
		pytext_str(&text, name);
	for (size_t i = 0; params && params->type == NODE_MAP && i < params->n; i++) {
		const struct pair *pair = &params->pairs[i];

		pytext_str(&text, pair->key);
		if (pair->value->type != NODE_MAP) {
			pytext_str(&text, pair->value);
		} else if (pytext_json(&text, pair->value) < 0) {
			*bad = pair->value;
			rc = ERR_INVALID;
		}
	}
	if (!buf_ok(&text)) {
		*bad = params;
		rc = ERR_INVALID;
	}
	if (EVP_Digest(buf_text(&text), text.len, digest, &n, EVP_sha256(), NULL) != 1)
		rc = ERR_INVALID;
	add_hex(id, digest, n);
	if (text.data)
		secret_wipe(text.data, text.cap);
	buf_clear(&text);
	return rc;
}

int
deployment_id(const struct node *element, struct buf *id, const struct node **bad)
{
	const struct node *given = node_get_set(node_get(element, "model_info"), "id");
	const struct node *unused;
	int rc;

	if (bad == NULL)
		bad = &unused;
	*bad = NULL;
	if (given && (given->type == NODE_STR || given->type == NODE_INT)) {
		buf_add_str(id, given->text);
		return 0;
	}
	rc = hash(element, id, bad);
	if (given) {
		*bad = given;
		rc = ERR_INVALID;
	}
	return rc;
}
