/* SPDX-License-Identifier: Apache-2.0 */
#include "workers/wildcard.h"

#include <stdlib.h>
#include <string.h>

#include "shared/model_facts.h"
#include "shared/models.h"
#include "shared/provider.h"
#include "workers/dialects/words.h"

/* How good a choice a model is; less is better. */
enum class {
	CLASS_PRICED,  /* known, its price too */
	CLASS_KNOWN,   /* known, without a price */
	CLASS_UNKNOWN, /* by its name it may be */
};

struct choice {
	enum class class;
	double price;
	char *name;
};

struct picking {
	const struct target *t;
	struct choice best[WILDCARD_MODELS];
	size_t n;
	size_t seen; /* models of the list */
};

bool
wildcard_is(const struct target *t)
{
	return strchr(t->model, '*') != NULL;
}

/* A `*` stands for any text; two are enough for any config. */
bool
wildcard_means(const char *pattern, const char *name)
{
	const char *star = NULL, *from = NULL;

	while (*name) {
		if (*pattern == '*') {
			star = pattern++;
			from = name;
		} else if (*pattern == *name) {
			pattern++;
			name++;
		} else if (star) {
			pattern = star + 1;
			name = ++from;
		} else {
			return false;
		}
	}
	while (*pattern == '*')
		pattern++;
	return *pattern == '\0';
}

static bool
better(const struct choice *a, const struct choice *b)
{
	if (a->class != b->class)
		return a->class < b->class;
	if (a->class == CLASS_PRICED && a->price != b->price)
		return a->price < b->price;
	return a->class != CLASS_UNKNOWN && strcmp(a->name, b->name) < 0;
}

static void
consider(void *arg, struct str name)
{
	struct picking *p = arg;
	struct str provider = str_of(p->t->provider->name);
	struct known_model known;
	struct choice c = { .class = CLASS_UNKNOWN };
	size_t i;

	p->seen++;
	if (name.n == 0 || name.n > REQUEST_MAX_URL / 2 || !wildcard_means(p->t->model, name.p))
		return;
	if (models_find(provider, name, &known)) {
		if (known.mode != (int)p->t->mode)
			return;
		c.class = known.price_in >= 0 && known.price_out >= 0 ? CLASS_PRICED : CLASS_KNOWN;
		c.price = known.price_in + known.price_out;
	} else if (model_mode(provider, name) != (int)p->t->mode) {
		return;
	}
	c.name = str_dup(name);
	for (i = 0; i < p->n && !better(&c, &p->best[i]); i++)
		;
	if (i == WILDCARD_MODELS) {
		free(c.name);
		return;
	}
	if (p->n == WILDCARD_MODELS)
		free(p->best[--p->n].name);
	memmove(&p->best[i + 1], &p->best[i], (p->n - i) * sizeof(p->best[0]));
	p->best[i] = c;
	p->n++;
}

int
wildcard_read(
    struct wildcard *w, const struct target *t, const struct response *resp, struct result *res)
{
	struct picking p = { .t = t };
	struct buf text = BUF_INIT(2048);
	struct words_reply reply;

	*w = (struct wildcard){ .n = 0 };
	if (t->dialect->listed(t, resp, consider, &p, res) < 0) {
		/* What was asked must be said: the config names no such route. */
		buf_add_str(&text, buf_str(&res->detail));
		buf_reset(&res->detail);
		buf_addf(&res->detail,
		    "%s; asked for its list of models, because the config names none: "
		    "model_info.health_check_model would name one",
		    buf_text(&text));
		buf_clear(&text);
		return ERR_INVALID;
	}
	if (p.n == 0) {
		buf_addf(&text,
		    "the provider lists %zu models, and none of them is one for %s that \"%.256s\" "
		    "means",
		    p.seen, mode_name(t->mode), t->model);
		reply = (struct words_reply){ .shown = buf_str(&text),
			.searched = buf_str(&text),
			.message = buf_str(&text) };
		words_status(t, 404, &reply, res);
		buf_reset(&res->detail);
		buf_add_str(&res->detail, buf_str(&text));
		buf_clear(&text);
		return ERR_INVALID;
	}
	for (size_t i = 0; i < p.n; i++)
		w->models[w->n++] = p.best[i].name;
	return 0;
}

void
wildcard_clear(struct wildcard *w)
{
	while (w->n > 0)
		free(w->models[--w->n]);
}

bool
wildcard_goes_on(const struct result *res)
{
	switch (res->reason) {
	case REASON_NOT_FOUND:
	case REASON_PERMISSION:
	case REASON_BAD_REQUEST:
	case REASON_BAD_RESPONSE:
	case REASON_SERVER_ERROR:
		return !res->healthy;
	default:
		return false;
	}
}
