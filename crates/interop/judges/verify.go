// Judges a chain by Go's crypto/x509: verify ROOT CHAIN HOST USAGE, USAGE being server or client.
package main

import (
	"crypto/x509"
	"encoding/pem"
	"fmt"
	"os"
)

func main() {
	root, chain, host, usage := os.Args[1], os.Args[2], os.Args[3], os.Args[4]
	roots := x509.NewCertPool()
	for _, certificate := range read(root) {
		roots.AddCert(certificate)
	}
	certificates := read(chain)
	intermediates := x509.NewCertPool()
	for _, certificate := range certificates[1:] {
		intermediates.AddCert(certificate)
	}
	options := x509.VerifyOptions{Roots: roots, Intermediates: intermediates}
	if usage == "client" {
		options.KeyUsages = []x509.ExtKeyUsage{x509.ExtKeyUsageClientAuth}
	} else {
		options.DNSName = host
	}
	if _, err := certificates[0].Verify(options); err != nil {
		fmt.Println("REFUSED:", err)
		os.Exit(1)
	}
	fmt.Println("OK")
}

func read(path string) []*x509.Certificate {
	bytes, err := os.ReadFile(path)
	check(err)
	var certificates []*x509.Certificate
	for block, rest := pem.Decode(bytes); block != nil; block, rest = pem.Decode(rest) {
		certificate, err := x509.ParseCertificate(block.Bytes)
		check(err)
		certificates = append(certificates, certificate)
	}
	return certificates
}

func check(err error) {
	if err != nil {
		fmt.Println("ERROR:", err)
		os.Exit(2)
	}
}
