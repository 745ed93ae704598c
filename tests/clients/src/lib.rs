//! The platform as its users meet it: HTTP clients that nobody here wrote, and our own libraries.
//!
//! The tests are in `tests`: each starts a tool against one running platform.
