//! What must hold of a store from outside: one module for each hazard, which it tells first.

mod crash;
mod damage;
mod doors;
mod golden;
mod lookups;
mod model;
mod panels;
mod real;
mod reruns;
mod spec;
