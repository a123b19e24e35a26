package dev.wclayer.benchmarks.jmh;

import dev.wclayer.benchmarks.compare.Workshop;
import dev.wclayer.benchmarks.data.DataSets;
import java.io.IOException;
import java.nio.file.Path;

/** Where JMH's forks find data sets and core_bench: JMH starts them in the folder of ./build. */
final class Shop {
    private Shop() {}

    static Workshop open() throws IOException {
        Path data = Path.of(System.getProperty("wclayer.bench.data", "benchmarks/target/data"));
        Path core = Path.of(System.getProperty("wclayer.bench.core", "native/target/cmake/release/core_bench"));
        return new Workshop(new DataSets(data), core, Workshop.usualParent());
    }
}
