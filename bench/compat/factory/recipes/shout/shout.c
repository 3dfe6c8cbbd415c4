#include <ctype.h>
#include <greet.h>
#include <stdio.h>

int main(void) {
  for (const char *c = greeting(); *c; c++) putchar(toupper(*c));
  putchar('\n');
}
