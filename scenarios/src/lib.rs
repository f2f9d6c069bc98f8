//! Actors and scripted traffic, benign and hostile; ground truth.
