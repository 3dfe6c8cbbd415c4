#!/usr/bin/env -S FOO=bar python3 -u
print("hello")
