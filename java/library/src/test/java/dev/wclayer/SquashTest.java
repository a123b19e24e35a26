package dev.wclayer;

import static org.assertj.core.api.Assertions.assertThat;

import dev.wclayer.TarViews.Node;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.LinkOption;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Random;
import java.util.SortedMap;
import java.util.TreeMap;
import java.util.stream.Stream;
import org.junit.jupiter.api.Test;

/** Squashed diffs of random chains show what the chain shows, with all metadata. */
class SquashTest extends DriverTestCase {
    private static final DiffOptions REBUILD = DiffOptions.DEFAULT.withRebuild(true);
    private static final long SEED = 411L;
    private static final int CHAINS = 15;

    @Override
    Map<String, String> options() {
        return Map.of("durability", "none", "mount", "checkout");
    }

    @Test
    void randomChainsShowTheSameSquashedAndNot() throws IOException {
        WindowsDriver driver = open();
        for (int round = 0; round < CHAINS; round++) {
            Random random = new Random(SEED + round);
            int depth = 2 + random.nextInt(7);
            List<String> ids = new ArrayList<>();
            List<byte[]> tars = new ArrayList<>();
            for (int i = 0; i < depth; i++) {
                byte[] tar = RandomLayers.over(random, TarViews.chain(tars), i == 0);
                String id = "c" + round + "-" + i;
                driver.applyDiff(id, i == 0 ? "" : ids.get(i - 1), LayerTars.stream(tar));
                ids.add(id);
                tars.add(tar);
            }
            compare(driver, "seed " + (SEED + round), ids, tars, round % 5 == 0);
            for (int i = depth - 1; i >= 0; i--) {
                driver.remove(ids.get(i));
            }
        }
    }

    private static void compare(WindowsDriver driver, String seed, List<String> ids, List<byte[]> tars, boolean mounted)
            throws IOException {
        String top = ids.get(ids.size() - 1);
        SortedMap<String, String> shown = TarViews.describe(TarViews.chain(tars));
        // The store's own view of the chain: each layer written anew.
        List<byte[]> rebuilt = new ArrayList<>();
        for (int i = 0; i < ids.size(); i++) {
            rebuilt.add(read(driver.diff(ids.get(i), i == 0 ? "" : ids.get(i - 1), REBUILD)));
        }
        assertSame(seed + ", rebuilt", TarViews.chain(rebuilt), shown);
        for (int tail = 0; tail < ids.size(); tail++) {
            String at = seed + ", on " + tail + " of " + ids.size();
            String ancestor = tail == 0 ? "" : ids.get(tail - 1);
            byte[] squashed = read(driver.diff(top, ancestor));
            List<byte[]> chain = new ArrayList<>(tars.subList(0, tail));
            chain.add(squashed);
            assertSame(at, TarViews.chain(chain), shown);
            ApplyResult applied = driver.applyDiff("q", ancestor, LayerTars.stream(squashed));
            assertThat(applied.sizeBytes()).as(at).isEqualTo(driver.diffSize(top, ancestor));
            chain.set(tail, read(driver.diff("q", ancestor, REBUILD)));
            assertSame(at + ", applied", TarViews.chain(chain), shown);
            assertThat(driver.verify("q")).as(at).isEmpty();
            if (mounted) {
                assertSameTrees(driver, at, top);
            }
            driver.remove("q");
        }
    }

    private static void assertSame(String at, SortedMap<String, Node> tree, SortedMap<String, String> shown) {
        SortedMap<String, String> lines = TarViews.describe(tree);
        assertThat(lines.keySet()).as(at).isEqualTo(shown.keySet());
        shown.forEach((path, line) ->
                assertThat(lines.get(path)).as("%s: %s", at, path).isEqualTo(line));
    }

    private static void assertSameTrees(WindowsDriver driver, String at, String top) throws IOException {
        SortedMap<String, String> whole = new TreeMap<>();
        look(driver, top, root -> whole.putAll(contents(root)));
        look(driver, "q", root -> assertThat(contents(root)).as(at).isEqualTo(whole));
    }

    private static SortedMap<String, String> contents(Path root) throws IOException {
        SortedMap<String, String> contents = new TreeMap<>();
        try (Stream<Path> walk = Files.walk(root)) {
            for (Path path : walk.toList()) {
                String name = TarViews.key(root.relativize(path).toString());
                String what = "folder";
                if (Files.isSymbolicLink(path)) {
                    what = "-> " + Files.readSymbolicLink(path);
                } else if (Files.isRegularFile(path, LinkOption.NOFOLLOW_LINKS)) {
                    what = LayerTars.sha256(Files.readAllBytes(path));
                }
                contents.put(name, what);
            }
        }
        return contents;
    }
}
