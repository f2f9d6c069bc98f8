//! Questions, scoring and reports.
