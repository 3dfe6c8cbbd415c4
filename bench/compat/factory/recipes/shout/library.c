int shout(void) { return 0; }
