import java.io.FileInputStream;
import java.security.KeyStore;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.util.ArrayList;
import java.util.List;
import javax.net.ssl.TrustManagerFactory;
import javax.net.ssl.X509TrustManager;

/** Judges a chain by Java's default trust manager (PKIX): Verify ROOT CHAIN USAGE, USAGE being server or client. */
public class Verify {
    public static void main(String[] arguments) throws Exception {
        KeyStore store = KeyStore.getInstance(KeyStore.getDefaultType());
        store.load(null, null);
        store.setCertificateEntry("root", read(arguments[0]).get(0));
        TrustManagerFactory factory = TrustManagerFactory.getInstance("PKIX");
        factory.init(store);
        X509TrustManager manager = (X509TrustManager) factory.getTrustManagers()[0];
        X509Certificate[] chain = read(arguments[1]).toArray(new X509Certificate[0]);
        try {
            if (arguments[2].equals("client")) {
                manager.checkClientTrusted(chain, "UNKNOWN");
            } else {
                manager.checkServerTrusted(chain, "UNKNOWN");
            }
            System.out.println("OK");
        } catch (java.security.cert.CertificateException refused) {
            System.out.println("REFUSED: " + refused.getMessage());
            System.exit(1);
        }
    }

    private static List<X509Certificate> read(String path) throws Exception {
        List<X509Certificate> certificates = new ArrayList<>();
        try (FileInputStream file = new FileInputStream(path)) {
            for (Object one : CertificateFactory.getInstance("X.509").generateCertificates(file)) {
                certificates.add((X509Certificate) one);
            }
        }
        return certificates;
    }
}
