// Visits hosts by Go's crypto/tls, and prints the names of those it accepts: zoo ROOT PORT NAMES...
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"os"
)

func main() {
	pem, err := os.ReadFile(os.Args[1])
	if err != nil {
		fmt.Println("ERROR:", err)
		os.Exit(2)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(pem)
	for _, name := range os.Args[3:] {
		config := &tls.Config{RootCAs: roots, ServerName: name + ".localhost"}
		connection, err := tls.Dial("tcp", "127.0.0.1:"+os.Args[2], config)
		if err != nil {
			continue
		}
		fmt.Println(name)
		connection.Close()
	}
}
