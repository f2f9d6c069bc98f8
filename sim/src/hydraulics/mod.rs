//! The pressurised network: heads and flows by the global gradient method.
//!
//! Reading order: `law` (pipes and pumps), [`gga`] (the solver), `ldl` (its linear algebra). Nothing here knows
//! time: tanks are fixed heads to the solver, and [`crate::distribution`] moves their levels.

pub(crate) mod gga;
pub(crate) mod law;
mod ldl;
