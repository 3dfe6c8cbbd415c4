//! melange recipes and apko image files, parsed and resolved
