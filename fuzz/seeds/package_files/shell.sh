#!
#! /bin/sh -e
Version: 1.0
