//! A protected value has no text.

use contract::Phi;

fn print(name: Phi<String>) -> String {
    name.to_string()
}

fn main() {}
