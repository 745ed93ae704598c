"""Written by `cargo xtask gen`."""
