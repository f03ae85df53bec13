/* SPDX-License-Identifier: Apache-2.0 */
/* The progress line. Nothing in it comes from strangers: it is numbers and our own words. */
#include "supervisor/progress.h"

#include <unistd.h>

#include "shared/clock.h"
#include "supervisor/terminal.h"

#define BAR_COLUMNS 20

void
progress_init(struct progress *p, int fd)
{
	*p = (struct progress){ .fd = terminal_width(fd) > 0 ? fd : -1,
		.started_ms = clock_mono_ms() };
	p->drawn_ms = p->started_ms - PROGRESS_EVERY_MS;
}

void
progress_set(
    struct progress *p, uint32_t total, uint32_t done, uint32_t healthy, uint32_t in_flight)
{
	p->total = total;
	p->done = done < total ? done : total;
	p->healthy = healthy < p->done ? healthy : p->done;
	p->in_flight = in_flight;
}

static void
put(const struct progress *p, struct buf *b)
{
	(void)!write(p->fd, b->data, b->len);
}

void
progress_draw(struct progress *p)
{
	struct buf b = BUF_INIT(1024);
	int64_t now = clock_mono_ms();
	size_t width;

	if (p->fd < 0 || p->total == 0 || now - p->drawn_ms < PROGRESS_EVERY_MS)
		return;
	p->drawn_ms = now;
	width = terminal_width(p->fd);
	buf_add_text(&b, "\r");
	/* The last column stays free: some terminals wrap as soon as it is written. */
	progress_render(p, width > 1 ? width - 1 : 1, &b);
	buf_add_text(&b, "\033[K");
	put(p, &b);
	buf_clear(&b);
	p->shown = true;
}

void
progress_clear(struct progress *p)
{
	struct buf b = BUF_INIT(16);

	if (!p->shown)
		return;
	buf_add_text(&b, "\r\033[K");
	put(p, &b);
	buf_clear(&b);
	p->shown = false;
}

void
progress_add_duration(struct buf *b, int64_t ms)
{
	int64_t s = (ms + 500) / 1000;

	if (ms < 1000)
		buf_addf(b, "%d ms", (int)ms);
	else if (ms < 9950)
		buf_addf(b, "%d.%d s", (int)((ms + 50) / 1000), (int)((ms + 50) % 1000 / 100));
	else if (s < 60)
		buf_addf(b, "%d s", (int)s);
	else
		buf_addf(b, "%d min %02d s", (int)(s / 60), (int)(s % 60));
}

static void
add_piece(struct buf *b, size_t start, size_t width, const struct buf *piece)
{
	if (b->len - start + piece->len <= width)
		buf_add_str(b, buf_str(piece));
}

void
progress_render(const struct progress *p, size_t width, struct buf *b)
{
	struct buf piece = BUF_INIT(256);
	int64_t elapsed = clock_mono_ms() - p->started_ms;
	unsigned filled = p->total ? (unsigned)((uint64_t)p->done * BAR_COLUMNS / p->total) : 0;
	size_t start = b->len, bar;

	buf_addf(&piece, "%u/%u", p->done, p->total);
	add_piece(b, start, width, &piece);
	bar = b->len;

	buf_reset(&piece);
	buf_addf(&piece, "  %u healthy", p->healthy);
	add_piece(b, start, width, &piece);
	buf_reset(&piece);
	buf_addf(&piece, ", %u unhealthy", p->done - p->healthy);
	add_piece(b, start, width, &piece);
	buf_reset(&piece);
	buf_addf(&piece, ", %u in flight", p->in_flight);
	add_piece(b, start, width, &piece);
	if (p->done > 0 && p->done < p->total) {
		buf_reset(&piece);
		buf_add_text(&piece, ", ");
		progress_add_duration(&piece, elapsed * (p->total - p->done) / p->done);
		buf_add_text(&piece, " left");
		add_piece(b, start, width, &piece);
	}
	/* The bar is ornament: it comes in only where everything else has found room. */
	if (b->len - start + BAR_COLUMNS + 4 <= width) {
		char drawn[BAR_COLUMNS + 4];
		struct buf tail = BUF_INIT(1024);

		buf_add(&tail, b->data + bar, b->len - bar);
		b->len = bar;
		drawn[0] = drawn[1] = ' ';
		drawn[2] = '[';
		for (unsigned i = 0; i < BAR_COLUMNS; i++)
			drawn[3 + i] = i < filled ? '#' : '.';
		drawn[3 + BAR_COLUMNS] = ']';
		buf_add(b, drawn, sizeof(drawn));
		buf_add_str(b, buf_str(&tail));
		buf_clear(&tail);
	}
	buf_clear(&piece);
}
