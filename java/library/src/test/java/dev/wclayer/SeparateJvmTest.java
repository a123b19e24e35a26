package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import java.io.IOException;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Map;
import java.util.Optional;
import org.junit.jupiter.api.Test;

/** What takes a class loader or a process of its own. */
class SeparateJvmTest extends DriverTestCase {
    private static final Path CLASSES = Path.of("target", "classes");

    @Override
    Map<String, String> options() {
        return Map.of();
    }

    /** J2: each class loader loads a copy of its own. */
    @Test
    void twoClassLoadersInOneJvmBothWork() throws Exception {
        URL[] classes = {CLASSES.toUri().toURL()};
        for (int i = 0; i < 2; i++) {
            try (URLClassLoader loader = new URLClassLoader(classes, null)) {
                Class<?> driver = loader.loadClass("dev.wclayer.WindowsDriver");
                assertThat(driver).isNotSameAs(WindowsDriver.class);
                assertThat(driver.getMethod("unavailable").invoke(null)).isEqualTo(Optional.empty());
                Object builder = driver.getMethod("builder", Path.class).invoke(null, home.resolve("loader-" + i));
                Object opened = builder.getClass().getMethod("open").invoke(builder);
                assertThat(opened).hasToString("windowsfilter");
                ((AutoCloseable) opened).close();
            }
        }
        assertThat(open()).as("and this one still works").hasToString("windowsfilter");
    }

    /** Issue 4, item 4: what a killed process left is cleaned on the next open. */
    @Test
    void mountsOfAKilledProcessAreCleaned() throws Exception {
        try (WindowsDriver driver = open()) {
            driver.applyDiff(
                    "base", "", LayerTars.stream(LayerTars.tar(tar -> tar.file("Files/a.txt", LayerTars.bytes("a")))));
            driver.createReadWrite("box", "base");
        }
        String mounted = runHolder();
        assertThat(mounted).startsWith("/");
        WindowsDriver driver = open();
        assertThat(Files.readString(Path.of("/proc/self/mounts"))).doesNotContain(home.toString());
        assertThat(driver.list())
                .filteredOn(layer -> layer.id().equals("box"))
                .extracting(LayerSummary::state)
                .doesNotContain(LayerSummary.State.MOUNTED, LayerSummary.State.DAMAGED);
        assertThat(driver.changes("box", "base"))
                .as("what it wrote is kept")
                .extracting(Change::toString)
                .containsExactly("C Files", "A Files/written.txt");
        driver.remove("box");
        assertThat(driver.verify()).isEmpty();
    }

    private String runHolder() throws IOException, InterruptedException {
        List<String> command =
                ChildJvm.command(List.of("-Xshare:auto"), ChildJvm.CLASSES, Holder.class, home.toString());
        return ChildJvm.run(command, Holder.STATUS).trim();
    }

    /** Mounts a layer, writes, and dies without a word. */
    static final class Holder {
        static final int STATUS = 9;

        private Holder() {}

        public static void main(String[] arguments) throws IOException {
            WindowsDriver driver = WindowsDriver.builder(Path.of(arguments[0])).open();
            Path root = driver.get("box");
            Files.writeString(root.resolve("written.txt"), "before the end");
            System.out.println(root);
            System.out.flush();
            Runtime.getRuntime().halt(STATUS);
        }
    }
}
