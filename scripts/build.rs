//! Links the programs at a fixed address on Linux.
//!
//! A program that may lie anywhere has some thirteen thousand addresses to set right at each start, which took a third of a
//! short command's time, and carries the table of them: 300 kB. `swarm-msg` is started for each message, each hook and each
//! edit. What a random address protects is memory that is written past its end, which safe Rust does not do.

fn main() {
    println!("cargo:rerun-if-changed=scripts/build.rs");
    if std::env::var("CARGO_CFG_TARGET_OS").is_ok_and(|os| os == "linux") {
        println!("cargo:rustc-link-arg-bins=-no-pie");
    }
}
