#include <stdio.h>

#include "parts.h"

int main(void) { puts(part(1) ? "parts" : "none"); }
