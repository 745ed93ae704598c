//! Every client against one platform that runs in this process.

mod curl;
mod libraries;
mod platform;
mod scripts;
mod tool;
