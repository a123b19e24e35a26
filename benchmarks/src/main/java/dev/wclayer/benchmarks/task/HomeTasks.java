package dev.wclayer.benchmarks.task;

import dev.wclayer.LayerDiff;
import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.data.DataSets;
import java.io.IOException;
import java.util.List;

/** What a call costs in a home of many layers, and on a long chain. */
public final class HomeTasks {
    private static final int CALLS = 1_000;
    private static final String BOX = "box";

    private final WindowsDriver driver;
    private final int count;

    private HomeTasks(WindowsDriver driver, int count) {
        this.driver = driver;
        this.count = count;
    }

    /**
     * A home of layers that stand beside each other.
     *
     * @param driver of an empty home
     * @param layer each of them
     * @param count how many
     * @throws IOException if one cannot be applied
     */
    public static HomeTasks ofLayers(WindowsDriver driver, DataSets.Layer layer, int count) throws IOException {
        for (int i = 0; i < count; i++) {
            driver.applyDiff(id(i), "", layer.tar());
        }
        return new HomeTasks(driver, count);
    }

    /** A chain of layers with a writable one on top; parameters as for {@link #ofLayers}. */
    public static HomeTasks ofChain(WindowsDriver driver, DataSets.Layer layer, int count) throws IOException {
        for (int i = 0; i < count; i++) {
            driver.applyDiff(id(i), i == 0 ? "" : id(i - 1), layer.tar());
        }
        driver.createReadWrite(BOX, id(count - 1));
        driver.mount(BOX).close(); // the first one prepares what the others find
        return new HomeTasks(driver, count);
    }

    /** All layers, once. */
    public Task list() {
        return new Call(count) {
            @Override
            public long run() throws IOException {
                return driver.list().size();
            }
        };
    }

    /** A thousand questions whether a layer is there. */
    public Task exists() {
        return new Call(count) {
            @Override
            public long run() throws IOException {
                for (int i = 0; i < CALLS; i++) {
                    driver.exists(id(i % count));
                }
                return 0;
            }
        };
    }

    /** Mounts and unmounts the writable layer. */
    public Task mount() {
        return new Call(count) {
            @Override
            public long run() throws IOException {
                driver.mount(BOX).close();
                return 0;
            }
        };
    }

    /** The Diff of the writable layer. */
    public Task diff() {
        return new Call(count) {
            @Override
            public long run() throws IOException {
                try (LayerDiff diff = driver.diff(BOX, null)) {
                    return diff.transferTo(new CountingSink());
                }
            }
        };
    }

    private static String id(int number) {
        return "layer-" + number;
    }

    /** Named by how many layers there are; nothing to compare. */
    private abstract static class Call extends Task {
        Call(int count) {
            super("wclayer, " + count + " layers");
        }

        @Override
        public List<String> contents() {
            return List.of();
        }
    }
}
