/* Fills a folder with files like a package's: filler NAME FILES BYTES FOLDER. The same each time. */
#include <errno.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

enum { PIECE = 1 << 16 };

static uint64_t state;

static uint64_t next(void) {
  state ^= state << 13;
  state ^= state >> 7;
  state ^= state << 17;
  return state;
}

static void fail(const char *what) {
  perror(what);
  exit(1);
}

static void folder(const char *path) {
  if (mkdir(path, 0755) != 0 && errno != EEXIST) fail(path);
}

/* A word of a language that has few, the short ones most often. */
static size_t word(unsigned char *out) {
  uint64_t rank = next() % (1 + next() % 4096), length = 2 + rank % 9;
  for (uint64_t at = 0; at < length; at++) out[at] = 'a' + (rank * 2654435761u + at * at * 7919 + rank / 9 * at) % 26;
  out[length] = next() % 11 ? ' ' : '\n';
  return length + 1;
}

/* A run of code or a table: often one of those before with another number in it. */
static size_t code(unsigned char *out, const unsigned char *start) {
  size_t length = 24 + next() % 64, before = out - start;
  if (before > 256 && next() % 10 < 6) {
    memmove(out, start + next() % (before - 100), length);
    for (size_t at = next() % 8; at + 3 < length; at += 24) memcpy(out + at, &(uint32_t){(uint32_t)next()}, 3);
  } else {
    for (size_t at = 0; at < length; at++) out[at] = next() % 3 ? next() % 64 : 0;
  }
  return length;
}

static void fill(const char *path, uint64_t size, int is_text) {
  static unsigned char piece[PIECE + 128];
  FILE *out = fopen(path, "wb");
  if (!out) fail(path);
  while (size > 0) {
    size_t length = 0;
    while (length < PIECE && length < size) length += is_text ? word(piece + length) : code(piece + length, piece);
    if (length > size) length = size;
    if (fwrite(piece, 1, length, out) != length) fail(path);
    size -= length;
  }
  if (fclose(out) != 0) fail(path);
}

int main(int count, char **given) {
  if (count != 5) return fprintf(stderr, "usage: filler NAME FILES BYTES FOLDER\n"), 2;
  const char *name = given[1];
  uint64_t files = strtoull(given[2], 0, 10), left = strtoull(given[3], 0, 10);
  state = 1469598103934665603u;
  for (const char *at = name; *at; at++) state = (state ^ (unsigned char)*at) * 1099511628211u;
  char path[4096];
  for (const char **part = (const char *[]){"", "/usr", "/usr/lib", "/usr/share", 0}; *part; part++) {
    snprintf(path, sizeof path, "%s%s", given[4], *part);
    folder(path);
  }
  for (int top = 0; top < 2; top++) {
    snprintf(path, sizeof path, "%s/usr/%s/%s", given[4], top ? "share" : "lib", name);
    folder(path);
  }
  for (uint64_t at = 0; at < files; at++) {
    int is_text = next() % 2, part = next() % 8;
    /* The first has half of what is left, and so on, with much chance: few large files, many small ones. */
    uint64_t share = left / (files - at), size = at + 1 == files ? left : share / 2 + next() % (share + 1);
    if (at % 7 == 0 && left > share * 4) size += (left - share * 4) / 3;
    if (size > left) size = left;
    left -= size;
    snprintf(path, sizeof path, "%s/usr/%s/%s/part-%d", given[4], is_text ? "share" : "lib", name, part);
    folder(path);
    size_t end = strlen(path);
    snprintf(path + end, sizeof path - end, "/%s-%llu", name, (unsigned long long)at);
    fill(path, size, is_text);
  }
  return 0;
}
