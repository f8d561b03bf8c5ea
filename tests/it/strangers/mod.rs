//! Programs of others that use our ports all day: they work as they are.

mod conman;
mod labgrid;
