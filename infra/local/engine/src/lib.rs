//! The Docker engine of the one-machine cloud: found or started, and spoken to by its own client.
