//! Channels moved to what the gate cleared
