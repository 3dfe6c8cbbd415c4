#define PERL_NO_GET_CONTEXT
#include "EXTERN.h"
#include "perl.h"
#include "XSUB.h"

MODULE = Greet PACKAGE = Greet

const char *
word()
  CODE:
    RETVAL = GREETING;
  OUTPUT:
    RETVAL
