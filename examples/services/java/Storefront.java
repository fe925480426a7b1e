import com.sun.net.httpserver.HttpExchange;
import com.sun.net.httpserver.HttpServer;
import java.io.IOException;
import java.io.InputStream;
import java.net.HttpURLConnection;
import java.net.InetSocketAddress;
import java.net.URL;
import java.nio.charset.StandardCharsets;
import java.util.concurrent.Executors;
import java.util.concurrent.TimeUnit;

/**
 * Storefront shows what the others say: the first of the four services. Once a second it visits itself, so that there is
 * something to see.
 */
public final class Storefront {
    private static final int PORT = 8080;
    private static final String RECOMMENDATIONS =
            System.getenv().getOrDefault("RECOMMENDATIONS_URL", "http://recommendations:8080");

    private Storefront() {}

    public static void main(String[] arguments) throws IOException {
        HttpServer server = HttpServer.create(new InetSocketAddress(PORT), 0);
        server.createContext("/healthz", exchange -> answer(exchange, 200, "{}"));
        server.createContext("/", Storefront::show);
        server.setExecutor(Executors.newFixedThreadPool(4));
        server.start();
        Executors.newSingleThreadScheduledExecutor().scheduleWithFixedDelay(Storefront::visit, 1, 1, TimeUnit.SECONDS);
    }

    private static void show(HttpExchange exchange) throws IOException {
        try {
            answer(exchange, 200, "{\"buy\": " + get(RECOMMENDATIONS + "/recommendations") + "}");
        } catch (IOException error) {
            answer(exchange, 502, "{\"error\": \"recommendations\"}");
        }
    }

    private static void visit() {
        try {
            get("http://127.0.0.1:" + PORT + "/");
        } catch (IOException error) {
            System.out.println("a visit failed: " + error.getMessage());
        }
    }

    private static String get(String url) throws IOException {
        HttpURLConnection connection = (HttpURLConnection) new URL(url).openConnection();
        connection.setConnectTimeout(5_000);
        connection.setReadTimeout(5_000);
        try (InputStream body = connection.getInputStream()) {
            return new String(body.readAllBytes(), StandardCharsets.UTF_8);
        }
    }

    private static void answer(HttpExchange exchange, int status, String body) throws IOException {
        byte[] bytes = body.getBytes(StandardCharsets.UTF_8);
        exchange.getResponseHeaders().set("Content-Type", "application/json");
        exchange.sendResponseHeaders(status, bytes.length);
        exchange.getResponseBody().write(bytes);
        exchange.close();
    }
}
