module epiphyte.dev/examples/stock

go 1.24.0
