package dev.wclayer;

import static dev.wclayer.LayerTars.bytes;
import static dev.wclayer.LayerTars.stream;
import static dev.wclayer.LayerTars.tar;
import static org.assertj.core.api.Assertions.assertThat;

import java.io.BufferedReader;
import java.io.IOException;
import java.io.InputStreamReader;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Objects;
import java.util.Random;
import java.util.Set;
import java.util.concurrent.TimeUnit;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/**
 * {@code kill -9} of a JVM at random times of a scripted session: what it was told is done is there, nothing is half
 * there, and the next one goes on. {@code WCLAYER_ROUNDS} says how many times.
 */
class KilledProcessTest extends DriverTestCase {
    private static final long SEED = 20_260_101;
    private static final int LONGEST_MILLIS = 1_200;
    private static final String READY = "ready";

    @Override
    Map<String, String> options() {
        return Map.of();
    }

    @Test
    void whateverAKilledProcessWasAtIsWholeOrAbsent() throws Exception {
        int rounds = Integer.parseInt(Objects.requireNonNullElse(System.getenv("WCLAYER_ROUNDS"), "2"));
        Random random = new Random(SEED);
        int acknowledged = 0;
        int unfinished = 0;
        for (int round = 0; round < rounds; round++) {
            String prefix = "r" + round;
            int millis = random.nextInt(LONGEST_MILLIS);
            List<String> said = runAndKill(prefix, millis);
            String about = "seed " + SEED + ", round " + round + ", killed after " + millis + " ms, said " + said;
            Expected expected = Expected.of(said);
            try (WindowsDriver driver = WindowsDriver.builder(home).open()) {
                nothingIsLeft(about);
                assertThat(driver.verify(VerifyDepth.FULL)).as(about).isEmpty();
                Set<String> present = new HashSet<>();
                for (LayerSummary layer : driver.list()) {
                    assertThat(layer.state())
                            .as("%s: %s", about, layer.id())
                            .isIn(LayerSummary.State.CREATED, LayerSummary.State.COMMITTED);
                    present.add(layer.id());
                    if (expected.filled.contains(layer.id())) {
                        assertThat(layer.state())
                                .as("%s: %s", about, layer.id())
                                .isEqualTo(LayerSummary.State.COMMITTED);
                    }
                }
                assertThat(present).as(about).containsAll(expected.present);
                present.removeAll(expected.present);
                assertThat(present).as(about).isSubsetOf(expected.perhaps);
                acknowledged += expected.present.size();
                unfinished += present.size();
                for (String suffix : List.of("-box", "-top", "-child", "-base")) {
                    for (LayerSummary layer : driver.list()) {
                        if (layer.id().endsWith(suffix)) {
                            driver.remove(layer.id());
                        }
                    }
                }
                assertThat(driver.list()).as(about).isEmpty();
            }
        }
        System.out.printf(
                "%d rounds of kill -9: %d layers acknowledged and there, %d more whole that were under way%n",
                rounds, acknowledged, unfinished);
    }

    /** Neither mounts nor staging, temporary folders, removals, half-written files or locks of who is gone. */
    private void nothingIsLeft(String about) throws IOException {
        assertThat(Files.readString(Path.of("/proc/self/mounts"))).as(about).doesNotContain(home.toString());
        List<String> left = new ArrayList<>();
        for (String name : List.of("staging", "tmp", "mounts")) {
            Path own = home.resolve(".wclayer").resolve(name);
            if (Files.exists(own)) {
                tree(own).forEach(entry -> left.add(name + "/" + entry));
            }
        }
        try (Stream<Path> walk = Files.walk(home)) {
            walk.map(path -> path.getFileName().toString())
                    .filter(name -> name.endsWith(".tmp")
                            || name.endsWith("-removing")
                            || name.matches("(owner|staging|tmp|removing|small)\\+.*"))
                    .forEach(left::add);
        }
        assertThat(left).as(about).isEmpty();
    }

    /** The lines that the child said before it was killed. */
    private List<String> runAndKill(String prefix, int millis) throws Exception {
        String classPath = String.join(
                ":",
                ChildJvm.CLASSES,
                System.getProperty("jdk.module.path", ""),
                System.getProperty("java.class.path"));
        Process process = ChildJvm.start(ChildJvm.command(
                List.of("-XX:TieredStopAtLevel=1", "-Xshare:auto"), classPath, Session.class, home.toString(), prefix));
        List<String> said = new ArrayList<>();
        try (BufferedReader out =
                new BufferedReader(new InputStreamReader(process.getInputStream(), StandardCharsets.UTF_8))) {
            String line = out.readLine();
            assertThat(line).isEqualTo(READY);
            TimeUnit.MILLISECONDS.sleep(millis);
            process.toHandle().destroyForcibly(); // leaves what it said to be read
            while ((line = out.readLine()) != null) {
                said.add(line);
            }
        } finally {
            process.destroyForcibly().waitFor();
        }
        assertThat(process.exitValue())
                .as("killed, not ended: %s", said)
                .isNotZero()
                .isNotEqualTo(1);
        return said;
    }

    /** What the child's words mean: "make x", "made x", "fill x", "filled x", "drop x", "dropped x". */
    private record Expected(Set<String> present, Set<String> filled, Set<String> perhaps) {
        static Expected of(List<String> said) {
            Expected expected = new Expected(new HashSet<>(), new HashSet<>(), new HashSet<>());
            for (String line : said) {
                String[] words = line.split(" ", 2);
                if (words.length == 2) {
                    expected.take(words[0], words[1]);
                } // else cut short by the end
            }
            return expected;
        }

        private void take(String word, String id) {
            switch (word) {
                case "make", "fill" -> perhaps.add(id);
                case "made" -> present.add(id);
                case "filled" -> {
                    present.add(id);
                    filled.add(id);
                }
                case "drop" -> {
                    present.remove(id);
                    filled.remove(id);
                    perhaps.add(id);
                }
                case "dropped" -> perhaps.remove(id);
                default -> throw new AssertionError(word);
            }
        }
    }

    /** Makes, fills, mounts, edits, reads and removes layers until it is killed, and says so. */
    static final class Session {
        private final WindowsDriver driver;

        private Session(WindowsDriver driver) {
            this.driver = driver;
        }

        public static void main(String[] arguments) throws IOException {
            WindowsDriver driver = WindowsDriver.builder(Path.of(arguments[0])).open();
            say(READY);
            for (int i = 0; ; i++) {
                new Session(driver).run(arguments[1] + "-" + i);
            }
        }

        private void run(String id) throws IOException {
            byte[] noise = new byte[700_000];
            new Random(id.hashCode()).nextBytes(noise);
            String base = id + "-base";
            String child = id + "-child";
            String box = id + "-box";
            String top = id + "-top";
            fill(base, "", tar(tar -> {
                tar.file("Files/noise.bin", noise);
                for (int i = 0; i < 50; i++) {
                    tar.file("Files/dir/f" + i, bytes("file " + i));
                }
            }));
            say("make " + child);
            driver.create(child, base);
            say("made " + child);
            fill(child, base, tar(tar -> tar.file("Files/dir/f1", bytes("another"))));
            say("make " + box);
            driver.createReadWrite(box, child);
            say("made " + box);
            try (LayerMount mount = driver.mount(box)) {
                Files.writeString(mount.path().resolve("made.txt"), "made");
                Files.delete(mount.path().resolve("dir/f2"));
            }
            byte[] difference;
            try (LayerDiff diff = driver.diff(box, child)) {
                difference = diff.readAllBytes();
            }
            fill(top, child, difference);
            try (DiffPath folder = driver.diffPath(child)) {
                assertThat(folder.path()).isDirectory();
            }
            for (String each : List.of(box, top, child, base)) {
                say("drop " + each);
                driver.remove(each);
                say("dropped " + each);
            }
        }

        private void fill(String id, String parent, byte[] tar) throws IOException {
            say("fill " + id);
            driver.applyDiff(id, parent, stream(tar));
            say("filled " + id);
        }

        private static void say(String line) {
            System.out.println(line);
            System.out.flush();
        }
    }
}
