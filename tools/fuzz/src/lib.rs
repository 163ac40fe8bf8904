//! The targets are those of the integration tests, which hand them bytes by a seed.

#[path = "../../../tests/integration/operations.rs"]
pub mod operations;
#[path = "../../../tests/integration/targets.rs"]
pub mod targets;
