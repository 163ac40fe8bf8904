//! The crate as others see it: one test binary, and a module for each hazard or subject, which it tells first.

mod appends;
mod crash;
mod damage;
mod diff;
mod doors;
mod golden;
mod lookups;
mod model;
mod panels;
mod real;
mod reruns;
mod spec;
mod updates;
mod versions;
