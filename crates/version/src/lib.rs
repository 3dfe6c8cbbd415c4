//! Version order and constraints of every ecosystem.
