//! SQLite records of what was made
