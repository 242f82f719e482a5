module libkmod-client

go 1.22
