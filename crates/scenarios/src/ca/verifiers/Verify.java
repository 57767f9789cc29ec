import java.io.FileInputStream;
import java.net.Socket;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import javax.net.ssl.*;

/** Prints the hosts it believes: ROOT PORT HOSTS... */
class Verify {
    public static void main(String[] given) throws Exception {
        var store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        try (var root = new FileInputStream(given[0])) {
            store.setCertificateEntry("root", CertificateFactory.getInstance("X.509").generateCertificate(root));
        }
        var trust = TrustManagerFactory.getInstance("PKIX");
        trust.init(store);
        var context = SSLContext.getInstance("TLS");
        context.init(null, trust.getTrustManagers(), null);
        int port = Integer.parseInt(given[1]);
        for (int i = 2; i < given.length; i++) {
            var plain = new Socket("127.0.0.1", port);
            plain.setSoTimeout(20_000);
            try (var socket = (SSLSocket) context.getSocketFactory().createSocket(plain, given[i], port, true)) {
                var parameters = socket.getSSLParameters();
                parameters.setEndpointIdentificationAlgorithm("HTTPS");
                socket.setSSLParameters(parameters);
                socket.startHandshake();
                System.out.println(given[i]);
            } catch (SSLException refused) {
                // Not printed.
            }
        }
        System.out.println("asked");
    }
}
