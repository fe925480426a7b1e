// The supervisor of the test bed's processes; it needs nothing but the standard library.
module epiphyte.dev/testbed/supervise

go 1.24.0
