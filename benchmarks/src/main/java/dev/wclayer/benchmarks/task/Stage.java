package dev.wclayer.benchmarks.task;

import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.data.DataSets;
import dev.wclayer.benchmarks.data.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;

/** A layer set up for everybody: as a tar, as plain files, and stored as {@code base} in a home; all warm in memory. */
public final class Stage implements AutoCloseable {
    /** The id under which the layer is stored. */
    public static final String BASE = "base";

    private final DataSets.Layer layer;
    private final Path work;
    private final WindowsDriver driver;

    /**
     * Sets a layer up.
     *
     * @param layer the layer
     * @param work a folder of its own, not there yet, where the peers and we read and write
     * @throws IOException if the layer cannot be copied or applied
     */
    public Stage(DataSets.Layer layer, Path work) throws IOException {
        this.layer = layer;
        this.work = work;
        Files.createDirectories(scratch());
        Trees.copy(layer.tree(), tree());
        driver = WindowsDriver.builder(home()).option("durability", "none").open();
        driver.applyDiff(BASE, "", layer.tar());
    }

    /** The layer. */
    public DataSets.Layer layer() {
        return layer;
    }

    /** The layer's files, plain; below {@code Files}. */
    public Path tree() {
        return work.resolve("tree");
    }

    /** Where {@link #driver()} has its layers. */
    public Path home() {
        return work.resolve("home");
    }

    /** Where tasks may leave things until they clean up. */
    public Path scratch() {
        return work.resolve("scratch");
    }

    /** A driver that flushes nothing, as the peers do not either. */
    public WindowsDriver driver() {
        return driver;
    }

    /** Removes all of it but the layer's own tar. */
    @Override
    public void close() throws IOException {
        driver.close();
        Trees.delete(work);
    }
}
