/* SPDX-License-Identifier: BSD-2-Clause */
/*
 * What an AHCI controller shows: registers and the structures in memory, with the specification's
 * names. Sources: Serial ATA AHCI 1.3.1; section numbers stand at each group.
 */
#ifndef USER_SATASERVER_AHCI_REGS_H
#define USER_SATASERVER_AHCI_REGS_H

#define AHCI_NR_PORTS 32u
#define AHCI_NR_SLOTS 32u

/* --- 3.1 generic host control --- */

#define HBA_CAP          0x00u
#define HBA_CAP_NCS(cap) (((cap) >> 8 & 0x1f) + 1) /* command slots */
#define HBA_CAP_SSS      (1u << 27)                /* staggered spin-up */
#define HBA_CAP_SNCQ     (1u << 30)
#define HBA_CAP_S64A     (1u << 31)
#define HBA_GHC          0x04u
#define HBA_GHC_HR       (1u << 0) /* reset */
#define HBA_GHC_IE       (1u << 1)
#define HBA_GHC_AE       (1u << 31) /* AHCI mode */
#define HBA_IS           0x08u
#define HBA_PI           0x0cu
#define HBA_VS           0x10u
#define HBA_CAP2         0x24u
#define HBA_CAP2_BOH     (1u << 0)
#define HBA_BOHC         0x28u
#define HBA_BOHC_BOS     (1u << 0) /* the firmware owns the controller */
#define HBA_BOHC_OOS     (1u << 1) /* the operating system wants it */
#define HBA_BOHC_BB      (1u << 4) /* the firmware is busy */

/* --- 3.3 ports --- */

#define HBA_PORT_BASE   0x100u
#define HBA_PORT_STRIDE 0x80u
#define HBA_BYTES       (HBA_PORT_BASE + AHCI_NR_PORTS * HBA_PORT_STRIDE)
#define PORT_CLB        0x00u
#define PORT_CLBU       0x04u
#define PORT_FB         0x08u
#define PORT_FBU        0x0cu
#define PORT_IS         0x10u
#define PORT_IE         0x14u
#define PORT_CMD        0x18u
#define PORT_TFD        0x20u
#define PORT_SIG        0x24u
#define PORT_SSTS       0x28u
#define PORT_SCTL       0x2cu
#define PORT_SERR       0x30u
#define PORT_SACT       0x34u
#define PORT_CI         0x38u

/* PxIS, PxIE */
#define PORT_INT_DHR       (1u << 0)  /* register FIS from the drive */
#define PORT_INT_PS        (1u << 1)  /* PIO set-up FIS */
#define PORT_INT_SDB       (1u << 3)  /* set device bits FIS */
#define PORT_INT_PC        (1u << 6)  /* connection changed */
#define PORT_INT_PRC       (1u << 22) /* PhyRdy changed */
#define PORT_INT_OF        (1u << 24) /* more data than the PRDT takes */
#define PORT_INT_INF       (1u << 26) /* interface error, not fatal */
#define PORT_INT_IF        (1u << 27) /* interface error, fatal */
#define PORT_INT_HBD       (1u << 28) /* memory error */
#define PORT_INT_HBF       (1u << 29) /* memory error, fatal */
#define PORT_INT_TFE       (1u << 30) /* the drive says error */
#define PORT_INT_LINK      (PORT_INT_PC | PORT_INT_PRC)
#define PORT_INT_TRANSPORT (PORT_INT_OF | PORT_INT_IF | PORT_INT_HBD | PORT_INT_HBF)
#define PORT_INT_ALL                                                                               \
    (PORT_INT_DHR | PORT_INT_PS | PORT_INT_SDB | PORT_INT_LINK | PORT_INT_TRANSPORT | PORT_INT_TFE)

/* PxCMD */
#define PORT_CMD_ST         (1u << 0)
#define PORT_CMD_SUD        (1u << 1)
#define PORT_CMD_POD        (1u << 2)
#define PORT_CMD_FRE        (1u << 4)
#define PORT_CMD_FR         (1u << 14)
#define PORT_CMD_CR         (1u << 15)
#define PORT_CMD_ICC_ACTIVE (1u << 28)
#define PORT_CMD_ICC_MASK   (15u << 28)

/* PxTFD: status in bits 7:0, error in bits 15:8 */
#define PORT_TFD_ERR  (1u << 0)
#define PORT_TFD_DRQ  (1u << 3)
#define PORT_TFD_BSY  (1u << 7)
#define PORT_TFD_BUSY (PORT_TFD_BSY | PORT_TFD_DRQ)

/* PxSIG */
#define PORT_SIG_ATA   0x00000101u
#define PORT_SIG_ATAPI 0xeb140101u

/* PxSSTS, PxSCTL */
#define PORT_SSTS_DET_MASK    0xfu
#define PORT_SSTS_DET_PRESENT 3u /* a drive, and communication */
#define PORT_SCTL_DET_RESET   1u
#define PORT_SCTL_IPM_NONE    (3u << 8) /* no power management of the link */

/* --- 4.2 structures in memory --- */

/* 4.2.2 command header, 32 bytes, 32 of them */
#define HEADER_BYTES        32u
#define HEADER_FIS_DWORDS   5u
#define HEADER_WRITE        (1u << 6)
#define HEADER_CLEAR_BUSY   (1u << 10)
#define HEADER_PRDTL(count) ((uint32_t)(count) << 16)

/* 4.2.3 command table: the FIS, at 80h the PRDT with 16 bytes for each region */
#define TABLE_PRDT     0x80u
#define PRD_BYTES      16u
#define PRD_MAX_LENGTH (1u << 22)
#define TABLE_BYTES    8192u
#define TABLE_NR_PRDS  ((TABLE_BYTES - TABLE_PRDT) / PRD_BYTES)

#endif
