// Prints the hosts it believes: ROOT PORT HOSTS...
package main

import (
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"os"
	"time"
)

func main() {
	root, err := os.ReadFile(os.Args[1])
	if err != nil {
		panic(err)
	}
	roots := x509.NewCertPool()
	roots.AppendCertsFromPEM(root)
	dialer := &net.Dialer{Timeout: 20 * time.Second}
	for _, host := range os.Args[3:] {
		config := &tls.Config{RootCAs: roots, ServerName: host}
		connection, err := tls.DialWithDialer(dialer, "tcp", "127.0.0.1:"+os.Args[2], config)
		if err == nil {
			fmt.Println(host)
			connection.Close()
		}
	}
	fmt.Println("asked")
}
