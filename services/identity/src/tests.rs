//! Identity through its own methods and pages, in process, on a real database.

mod apps;
mod browser;
mod clients;
mod code;
mod house;
mod machine;
mod model;
mod refresh;
mod revoke;
mod sign_in;
mod walls;
