//! HTTP client, credentials, what the machine's own clients are configured to use
