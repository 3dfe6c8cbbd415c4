//! Where build steps run
