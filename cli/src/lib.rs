//! The command line of Regent.
