//! Starts engines and keeps them until its input ends: `hold <data folder>` or `hold`.
//!
//! The first form starts a PostgreSQL on the folder and prints its URL; the second starts what the
//! tests need and prints the environment for it. Stop with Ctrl-D.

use std::error::Error;
use std::io::{self, Read};
use std::{env, result};

use engine::{Engines, Postgres, PostgresOptions};

fn main() -> result::Result<(), Box<dyn Error>> {
    match env::args_os().nth(1) {
        Some(data) => {
            let options = PostgresOptions { data: data.into(), port: None, durable: true };
            let postgres = Postgres::start(options)?;
            println!("{}", postgres.url("postgres"));
            wait_for_the_end_of_input()?;
            postgres.stop()?;
        }
        None => {
            let engines = Engines::for_tests()?;
            for (name, value) in engines.environment() {
                println!("{name}={value}");
            }
            wait_for_the_end_of_input()?;
        }
    }
    Ok(())
}

fn wait_for_the_end_of_input() -> io::Result<usize> {
    io::stdin().read_to_end(&mut Vec::new())
}
