package dev.wclayer.benchmarks.task;

import dev.wclayer.WindowsDriver;
import dev.wclayer.benchmarks.data.DataSets;
import dev.wclayer.benchmarks.data.Trees;
import java.io.IOException;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;

/** Many layers of a few files each: what a layer costs, not what a byte costs. */
public final class ManyLayers {
    private final DataSets.Layer layer;
    private final int count;
    private final Path work;

    /**
     * A job.
     *
     * @param layer one small layer, applied again and again
     * @param count how often
     * @param work a folder of its own, not there yet
     */
    public ManyLayers(DataSets.Layer layer, int count, Path work) {
        this.layer = layer;
        this.count = count;
        this.work = work;
    }

    /** Ours: each a layer in the store. */
    public Task ours(WindowsDriver driver) {
        return ours("wclayer", driver);
    }

    /** Ours under another name. */
    public Task ours(String name, WindowsDriver driver) {
        return new Task(name) {
            @Override
            public long run() throws IOException {
                for (int i = 0; i < count; i++) {
                    driver.applyDiff("layer-" + i, "", layer.tar());
                }
                return 0;
            }

            @Override
            public void cleanup() throws IOException {
                for (int i = 0; i < count; i++) {
                    driver.remove("layer-" + i);
                }
            }

            @Override
            public List<String> contents() throws IOException {
                run();
                List<String> contents = Contents.ofTree(driver.home().resolve("layer-" + (count - 1)));
                cleanup();
                return contents;
            }
        };
    }

    /** Theirs: each a folder. */
    public Task java(JavaCodec codec) {
        return new Task(codec.text()) {
            @Override
            public void prepare() throws IOException {
                Files.createDirectory(work);
            }

            @Override
            public long run() throws IOException {
                for (int i = 0; i < count; i++) {
                    Path folder = work.resolve("layer-" + i);
                    Files.createDirectory(folder);
                    codec.unpack(layer.tar(), folder);
                }
                return 0;
            }

            @Override
            public void cleanup() throws IOException {
                Trees.delete(work);
            }

            @Override
            public List<String> contents() throws IOException {
                prepare();
                run();
                List<String> contents = Contents.ofTree(work.resolve("layer-" + (count - 1)));
                cleanup();
                return contents;
            }
        };
    }
}
